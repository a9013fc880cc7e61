SELECT {% for i in range(5000) %}'{{ workload.big }}', {% endfor %}1
===
